{{ config(materialized='view') }}
select
    visits.customer_id,
    count(*) as visits,
    max(visits.seen_at) as last_seen_at,
    max(customers.orders) as orders
from {{ ref('stg_visits') }} as visits
join {{ ref('customers') }} as customers on customers.customer_id = visits.customer_id
group by visits.customer_id
