"""How good and how fast alignment is, measured on recordings whose words and phones were placed by hand."""
