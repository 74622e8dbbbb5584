select
    id as product_id,
    name as product_name,
    kind,
    price_cents,
    sold as is_sold
from {{ ref('raw_products') }}
