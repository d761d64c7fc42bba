"""stub"""


class FeatureEncoder:
    pass


def has_categories(X):
    return False


def read_table(X):
    return X
