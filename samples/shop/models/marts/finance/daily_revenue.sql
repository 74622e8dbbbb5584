select ordered_on, sum(total) as revenue, count(*) as orders
from {{ ref('orders') }}
where status <> 'returned'
group by ordered_on
