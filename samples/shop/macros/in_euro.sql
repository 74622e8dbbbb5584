{#- Prices are kept in cents; people read euro. -#}
{% macro in_euro(cents) -%}
  round({{ cents }} / 100.0, 2)
{%- endmacro %}
