VERSION = "v2"


def price(quantity, new_discount):
    if new_discount and quantity >= 10:
        return 250 * quantity * 90 // 100
    return 250 * quantity
