"""What a method says when it is asked for something that it cannot do."""


class Unsupported(ValueError):
    """A refusal on purpose: the method cannot do this with these settings, on this task. The sentence says why.

    Whoever asks may turn it into a message to the user; any other ValueError is a bug and keeps its traceback.
    """
