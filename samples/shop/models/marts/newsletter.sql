{{ config(enabled=false) }}
-- Given up in spring; kept for the day it comes back.
select customer_id, email from {{ ref('stg_customers') }}
