select
    id as line_id,
    order_no as order_id,
    product as product_id,
    quantity
from {{ ref('raw_order_lines') }}
