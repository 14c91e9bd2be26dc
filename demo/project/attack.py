"""Ask for orders by an address that ends the query early; exit 1 if anything comes back."""

import sys

from shop import connect
from web import orders_of

stolen = orders_of(connect(), "' OR 1=1 --")
print(f"the attack got {len(stolen)} orders{': ' + ', '.join(stolen) if stolen else ''}")
sys.exit(1 if stolen else 0)
