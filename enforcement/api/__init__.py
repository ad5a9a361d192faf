"""The REST API of gateways: plan, check, apply, pause; what was done."""
