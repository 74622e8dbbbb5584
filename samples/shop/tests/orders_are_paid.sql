-- An order may wait for its money; somebody should look at it, nothing has to stop.
{{ config(severity='warn', tags=['finance']) }}
select order_id, total, paid
from {{ ref('orders') }}
where status <> 'returned' and paid < total
