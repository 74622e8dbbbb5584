{{ config(materialized='view') }}
select date_trunc('month', ordered_on) as month_start, sum(revenue) as revenue
from {{ ref('daily_revenue') }}
group by 1
