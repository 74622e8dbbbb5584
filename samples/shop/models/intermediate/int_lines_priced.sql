select
    lines.line_id,
    lines.order_id,
    lines.product_id,
    lines.quantity,
    lines.quantity * products.price_cents as amount_cents
from {{ ref('stg_order_lines') }} as lines
join {{ ref('stg_products') }} as products on products.product_id = lines.product_id
