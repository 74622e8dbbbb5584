select
    id as customer_id,
    trim(name) as customer_name,
    lower(email) as email,
    cast(joined as date) as joined_on
from {{ ref('raw_customers') }}
