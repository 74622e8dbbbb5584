select product_id, sum(quantity) as pieces
from {{ ref('order_lines') }}
group by product_id
