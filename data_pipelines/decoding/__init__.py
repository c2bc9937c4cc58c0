"""Raw values to arrays, with every row accounted for."""
