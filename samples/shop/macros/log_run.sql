{#- One row for each run: how many nodes it had and how many did not end well. -#}
{% macro create_run_log() %}
create schema if not exists {{ target.schema }};
create table if not exists {{ target.schema }}.run_log (invocation varchar(40), nodes integer, not_good integer)
{% endmacro %}

{% macro log_run(results) %}
  {% set bad = results | map(attribute='status') | map('string') | select('in', ['error', 'fail', 'skipped', 'runtime error']) | list %}
insert into {{ target.schema }}.run_log values ('{{ invocation_id }}', {{ results | length }}, {{ bad | length }})
{% endmacro %}
