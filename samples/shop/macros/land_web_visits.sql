{#- Stands in for the loader that brings page visits from the web server into `web.visits`. -#}
{% macro land_web_visits() %}
create schema if not exists web;
create table if not exists web.visits (visit_id integer, customer_id integer, page varchar(40), seen_at timestamp);
insert into web.visits
select visit_id, customer_id, page, cast(seen_at as timestamp)
from (
    values
        (1, 1, '/wool', '2025-01-03 09:10:00'),
        (2, 1, '/wool/merino', '2025-01-03 09:12:00'),
        (3, 2, '/needles', '2025-01-04 18:40:00'),
        (4, 4, '/patterns', '2025-01-06 07:55:00'),
        (5, 4, '/patterns/socks', '2025-01-06 07:58:00'),
        (6, 9, '/wool', '2025-01-09 21:30:00'),
        (7, 6, '/sale', '2024-12-30 12:00:00')
) as landed (visit_id, customer_id, page, seen_at)
where not exists (select 1 from web.visits)
{% endmacro %}
