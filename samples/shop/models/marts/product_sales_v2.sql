select
    prices.product_id,
    prices.product_name,
    coalesce(sum(lines.quantity), 0) as pieces,
    coalesce(sum(lines.amount), 0) as amount
from {{ ref('product_prices') }} as prices
left join {{ ref('order_lines') }} as lines on lines.product_id = prices.product_id
where prices.dbt_valid_to is null
group by prices.product_id, prices.product_name
