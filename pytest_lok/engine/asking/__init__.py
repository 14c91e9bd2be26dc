"""One question: ``ask`` calls ``backend_call`` per backend, which calls the backend in ``checked_call``."""
