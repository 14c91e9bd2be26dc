"""asyncio: runs a plan, and meets the world through the protocols of ``ports`` alone."""
