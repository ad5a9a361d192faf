"""The ground floor: sets of addresses as sorted arrays. Values in, values out."""
