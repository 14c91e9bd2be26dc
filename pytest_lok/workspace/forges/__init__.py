"""GitHub by ``gh`` and GitLab by ``glab``, in one form."""
