{% set days = 120 %}
with recursive numbers as (
    select 0 as n
    union all
    select n + 1 from numbers where n < {{ days - 1 }}
)
select cast(cast('{{ var("first_day") }}' as date) + n as date) as day_on
from numbers
