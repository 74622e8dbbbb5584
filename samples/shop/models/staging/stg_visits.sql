select visit_id, customer_id, page, seen_at
from {{ source('web', 'visits') }}
where seen_at >= cast('{{ var("first_day") }}' as date)
