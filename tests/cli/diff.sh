#!/bin/sh
# `heddle diff` over the sample shop before and after a change: each form of output, what a
# selection leaves, and refusals. Needs no dbt.
bad=0
say() {
	echo "$1" >&2
	bad=1
}
manifests=$ROOT/samples/shop/manifests
after=$manifests/after/manifest.json

want() { # want NAME ARGUMENT...: the rest of standard input is what it must print
	name=$1
	shift
	cat >want
	"$HEDDLE" diff --state "$manifests/before" --manifest "$after" "$@" >got 2>err || say "$name: exit $?"
	diff want got >differs || say "$name: wanted is <, got is >
$(cat differs)"
}

want text <<'END'
new
  model.shop.product_sales_v1  models/marts/product_sales_v1.sql
  model.shop.returns  models/marts/returns.sql
  test.shop.unique_returns_order_id.ba283edaaf  models/marts/_marts.yml

modified
  model.shop.customers  models/marts/customers.sql  (2 downstream)
    body: code line 5 changed
    BREAKS contract: column 'orders' changed its type ("integer" -> "bigint")
  model.shop.order_lines  models/marts/order_lines.sql  (3 downstream)
    macros: macro.shop.in_euro changed
  model.shop.orders  models/marts/orders.sql  (9 downstream)
    body: code line 15 added
    macros: macro.shop.in_euro changed
  model.shop.visitors  models/marts/visitors.sql
    body: code line 1 changed
    configs: config.materialized "view" -> "table"
  seed.shop.raw_customers  seeds/raw_customers.csv  (4 downstream)
    body: checksum of the data differs
  snapshot.shop.product_prices  snapshots/product_prices.yml  (2 downstream)
    configs: config.check_cols ["price_cents","is_sold"] -> ["price_cents"]

removed
  model.shop.product_sales.v1  models/marts/product_sales_v1.sql
  test.shop.unique_product_sales_v1_product_id.c3bc4da781  models/marts/_marts.yml

3 new, 6 modified, 2 removed; 9 nodes downstream; 1 exposure touched; 1 contract broken
END
grep -q "^heddle: warning: breaking change to the contract of unversioned model 'model.shop.customers'" err ||
	say "no warning of the broken contract: $(cat err)"

want selection --select tag:web config.materialized:snapshot --resource-type model <<'END'
modified
  model.shop.visitors  models/marts/visitors.sql
    body: code line 1 changed
    configs: config.materialized "view" -> "table"

0 new, 1 modified, 0 removed; 0 nodes downstream
END

want markdown -o markdown --select +returns <<'END'
### dbt changes

2 new, 1 modified, 0 removed; 8 nodes downstream; 1 exposure touched

| | new | modified | removed |
| --- | ---: | ---: | ---: |
| models | 1 | 1 | 0 |
| data tests | 1 | 0 | 0 |

#### New (2)

- `model.shop.returns`
- `test.shop.unique_returns_order_id.ba283edaaf`

#### Modified (1)

- `model.shop.orders` · 9 downstream
  - body: `code` line 15 added
  - macros: `macro.shop.in_euro changed`
END

# the JSON is JSON, and says the same
"$HEDDLE" diff --state "$manifests/before" --manifest "$after" --output json -q >got 2>err || say "json: exit $?"
[ -s err ] && say "--quiet still says: $(cat err)"
python3 - >summary <<'END' || say "not JSON: $(head -5 got)"
import json
d = json.load(open("got"))
print(*(len(d[k]) for k in ("new", "modified", "removed")), d["downstream"], d["exposures"], d["broken_contracts"])
for n in d["modified"]:
    for c in n["changes"]:
        if c["what"] == "config.check_cols":
            print(c["part"], c["before"], c["after"], c["breaking"])
END
[ "$(cat summary)" = "3 6 2 9 1 1
configs ['price_cents', 'is_sold'] ['price_cents'] False" ] || say "json: $(cat summary)"

# the same on both sides: nothing to tell
"$HEDDLE" diff --state "$manifests/after" --manifest "$after" >got 2>err || say "same: exit $?"
[ "$(cat got)" = '0 new, 0 modified, 0 removed; 0 nodes downstream' ] || say "same: $(cat got)"

refuse() { # refuse TEXT ARGUMENT...
	text=$1
	shift
	"$HEDDLE" diff "$@" >got 2>err
	[ $? = 2 ] || say "diff $*: not refused"
	grep -qF "$text" err || say "diff $*: said $(cat err)"
	[ -s got ] && say "diff $*: printed $(cat got)"
}
refuse "no --state given" --manifest "$after"
refuse "absent/manifest.json: not there" --manifest "$after" --state absent
refuse "did you mean 'markdown'?" --manifest "$after" --state "$manifests/before" --output markdwn
exit $bad
