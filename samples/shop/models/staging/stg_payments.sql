select
    id as payment_id,
    order_no as order_id,
    method,
    amount_cents
from {{ ref('raw_payments') }}
