"""What is known beside a datum (labels, attributes, codes), and how it reaches the nets."""
