"""Ask for orders in a way that ends the query early; exit 1 if anybody's orders come back."""

import sys
from urllib.parse import urlencode

from shop import connect
from web import answer

HOSTILE = "' OR 1=1 --"

stolen = answer(connect(), urlencode({"email": HOSTILE, "word": HOSTILE}))
print(f"the attack got {', '.join(stolen) if stolen else 'nothing'}")
sys.exit(1 if stolen else 0)
