"""Language models: back-off n-grams of words or characters, read, learned and written; word lists as tries."""
