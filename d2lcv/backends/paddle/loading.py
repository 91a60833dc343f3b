"""Data loading in PaddlePaddle."""

from multiprocessing import SimpleQueue

from paddle.io import BatchSampler, DataLoader, Dataset, get_worker_info

from ...loading import forked, stacked

__all__ = ["loader"]


class _Examples(Dataset):
    def __init__(self, examples, workers):
        self.examples, self.error = examples, None
        self.errors = SimpleQueue() if workers else None

    def __len__(self):
        return len(self.examples)

    def __getitem__(self, i):
        return self._noting(self.examples.example, i)

    def batch(self, examples):
        return self._noting(stacked, examples)

    def _noting(self, function, argument):
        try:
            return function(argument)
        except Exception as error:
            if get_worker_info() is not None:
                self.errors.put(error)  # Paddle only prints it
                raise
            # any other exception ends the loader's thread, which is waited for for ever
            self.error = error
            raise StopIteration from None


class _Loader(DataLoader):
    def __iter__(self):
        try:
            yield from super().__iter__()
        except SystemError:  # a worker has failed
            errors = self.dataset.errors
            while errors and not errors.empty():
                self.dataset.error = errors.get()
            if self.dataset.error is None:
                raise
        if self.dataset.error is not None:
            error, self.dataset.error = self.dataset.error, None
            raise error


def loader(examples, order, batch_size, workers):
    workers = forked(workers)
    dataset = _Examples(examples, workers)
    return _Loader(
        dataset,
        batch_sampler=BatchSampler(sampler=order, batch_size=batch_size),
        num_workers=workers,
        collate_fn=dataset.batch,
    )
