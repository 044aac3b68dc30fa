VERSION = "v1"


def price(quantity, new_discount):
    return 250 * quantity
