"""Web Automation: settings, status and keys as they go over the wire (docs/web-automation.md)."""
