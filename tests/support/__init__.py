"""What several tests need: trees, archives, mounts. No tests in here."""

import pytest

# Their assertions are to say what they compared, as those of test modules do.
pytest.register_assert_rewrite("tests.support.golden", "tests.support.mounting")
