-- How many different things do people buy at once?
select lines_in_order, count(*) as orders
from (
    select order_id, count(*) as lines_in_order
    from {{ ref('order_lines') }}
    group by order_id
) as baskets
group by lines_in_order
