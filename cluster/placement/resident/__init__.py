"""The cluster that stays on this machine, from inside and from outside."""
