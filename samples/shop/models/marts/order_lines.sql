{{ config(materialized='incremental', unique_key='line_id') }}

select
    lines.line_id,
    lines.order_id,
    lines.product_id,
    orders.ordered_on,
    lines.quantity,
    {{ in_euro('lines.amount_cents') }} as amount
from {{ ref('int_lines_priced') }} as lines
join {{ ref('stg_orders') }} as orders on orders.order_id = lines.order_id
{% if is_incremental() %}
where orders.ordered_on >= (select max(ordered_on) from {{ this }})
{% endif %}
