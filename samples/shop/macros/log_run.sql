{#- One row for each run: how many nodes it had and how many did not end well. -#}
{% macro log_run(results) %}
  {% set bad = results | map(attribute='status') | map('string') | select('in', ['error', 'fail', 'skipped', 'runtime error']) | list %}
  insert into {{ target.schema }}.run_log values ('{{ invocation_id }}', {{ results | length }}, {{ bad | length }})
{% endmacro %}
