"""Terminal output, tables and figures. The only room that imports rich or matplotlib."""

import logging

logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it warns where there is no home for its cache
