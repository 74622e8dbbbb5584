select payments.payment_id
from {{ ref('stg_payments') }} as payments
left join {{ ref('orders') }} as orders on orders.order_id = payments.order_id
where orders.order_id is null
