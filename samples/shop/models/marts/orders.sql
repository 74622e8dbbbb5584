{{ config(post_hook="analyze {{ this }}") }}

with lines as (
    select order_id, sum(quantity) as pieces, sum(amount_cents) as total_cents
    from {{ ref('int_lines_priced') }}
    group by order_id
)

select
    orders.order_id,
    orders.customer_id,
    orders.ordered_on,
    orders.status,
    cast(lines.pieces as integer) as pieces,
    {{ in_euro('lines.total_cents') }} as total,
    {{ in_euro('coalesce(paid.paid_cents, 0)') }} as paid
from {{ ref('stg_orders') }} as orders
join lines on lines.order_id = orders.order_id
left join {{ ref('int_paid_by_order') }} as paid on paid.order_id = orders.order_id
