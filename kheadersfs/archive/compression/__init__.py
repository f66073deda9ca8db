"""How archives are compressed: one module a format, and how its blocks or stream are decoded."""
