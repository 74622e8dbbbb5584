select
    customers.customer_id,
    customers.customer_name,
    customers.joined_on,
    cast(count(distinct orders.order_id) as integer) as orders,
    cast(coalesce(sum(orders.total), 0) as numeric(12, 2)) as spent,
    count(distinct orders.order_id) >= 3 as is_regular
from {{ ref('stg_customers') }} as customers
left join {{ ref('orders') }} as orders
    on orders.customer_id = customers.customer_id and orders.status <> 'returned'
group by customers.customer_id, customers.customer_name, customers.joined_on
