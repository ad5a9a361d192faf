"""The pages that are more than an admin list."""
