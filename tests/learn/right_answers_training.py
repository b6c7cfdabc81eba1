"""Right answers to the exercises of a training: batch norm, dropout, soft argmax, Adam and the step itself."""

import itertools
import math

import numpy as np

from tests.learn.right_answers import answers


@answers("batch_norm_backward_staged")
def staged_by_einsum(dout, kept):
    M, C = dout.shape
    centred, std = kept["centred"], kept["std"]
    grads = {"dbias": np.add.reduce(dout), "dweight": np.einsum("mc,mc->c", dout, kept["x_hat"])}
    grads["dx_hat"] = np.einsum("mc,c->mc", dout, kept["weight"])
    grads["dstd"] = -np.einsum("mc,mc->c", grads["dx_hat"], centred) * std**-2
    grads["dvar"] = grads["dstd"] * 0.5 * std**-1
    grads["dcentred"] = grads["dx_hat"] * std**-1 + (2 / M) * centred * grads["dvar"]
    grads["dmean"] = -(np.ones(M, dout.dtype) @ grads["dcentred"])
    grads["dx"] = grads["dcentred"] + np.broadcast_to(grads["dmean"], (M, C)) / M
    return grads


@answers("batch_norm_backward_staged")
def staged_column_by_column(dout, kept):
    M = len(dout)
    names = ("dbias", "dweight", "dx_hat", "dstd", "dvar", "dcentred", "dmean", "dx")
    columns = {name: [] for name in (*names, "more")}
    for c in range(dout.shape[1]):
        centred, x_hat, std = kept["centred"][:, c], kept["x_hat"][:, c], kept["std"][c]
        dx_hat = dout[:, c] * kept["weight"][c]
        dstd = np.sum(dx_hat * -centred / std**2)
        dvar = dstd / std / 2
        dcentred = dx_hat / std + 2 * dvar * centred / M
        dmean = -dcentred.sum()
        all_ = dout[:, c].sum(), (dout[:, c] * x_hat).sum(), dx_hat, dstd, dvar, dcentred, dmean, dcentred + dmean / M
        for name, value in zip(names, all_, strict=True):
            columns[name].append(value)
    return {name: np.stack(parts, axis=-1) for name, parts in columns.items() if parts}


@answers("batch_norm_backward")
def batch_norm_backward_in_rows(dout, cache):
    """(N, C, ...) becomes (M, C) first."""
    C = dout.shape[1]
    rows, x_hat = (np.moveaxis(array, 1, -1).reshape(-1, C) for array in (dout, cache.x_hat))
    dweight, dbias = (rows * x_hat).sum(0), rows.sum(0)
    dx = rows - (dbias + x_hat * dweight) / len(rows) if cache.from_batch else rows.copy()
    dx *= cache.inv_std if cache.weight is None else cache.weight * cache.inv_std
    shape = dout.shape[:1] + dout.shape[2:] + (C,)
    return np.moveaxis(dx.reshape(shape), -1, 1), dweight, dbias


@answers("batch_norm_backward")
def batch_norm_backward_channel_by_channel(dout, cache):
    dx, dweight, dbias = np.empty_like(dout), [], []
    for c in range(dout.shape[1]):
        arriving, x_hat = dout[:, c], cache.x_hat[:, c]
        dweight.append((arriving * x_hat).sum())
        dbias.append(arriving.sum())
        inner = arriving - arriving.mean() - x_hat * (arriving * x_hat).mean() if cache.from_batch else arriving
        weight = 1 if cache.weight is None else cache.weight[c]
        dx[:, c] = weight * cache.inv_std[c] * inner
    return [dx, np.array(dweight), np.array(dbias)]


@answers("dropout_backward")
def dropout_backward_by_where(dout, cache):
    return np.where(cache.mask, dout * cache.scale, np.zeros_like(dout))


@answers("dropout_backward")
def dropout_backward_on_the_kept(dout, cache):
    dx = np.zeros(dout.shape, dout.dtype)
    dx[cache.mask] = cache.scale * dout[cache.mask]
    return dx


@answers("soft_argmax2d_backward")
def soft_argmax2d_backward_by_loops(dout, cache):
    N, K, H, W = cache.share.shape
    dx = np.empty_like(cache.share)
    for n, k, h, w in itertools.product(range(N), range(K), range(H), range(W)):
        right = (2 * w + 1) / W - 1 - cache.position[n, k, 0]
        down = (2 * h + 1) / H - 1 - cache.position[n, k, 1]
        dx[n, k, h, w] = cache.share[n, k, h, w] * (dout[n, 2 * k] * right + dout[n, 2 * k + 1] * down)
    return dx


@answers("soft_argmax2d_backward")
def soft_argmax2d_backward_by_the_softmax(dout, cache):
    """Through the shares: ds first, then the backward pass of softmax."""
    N, K, H, W = cache.share.shape
    rows, columns = np.mgrid[0:H, 0:W]
    places = np.stack([(2 * columns + 1) / W - 1, (2 * rows + 1) / H - 1]).astype(dout.dtype)
    dshare = np.einsum("nkp,phw->nkhw", dout.reshape(N, K, 2), places)
    inner = np.einsum("nkhw,nkhw->nk", dshare, cache.share)
    return cache.share * (dshare - inner[..., None, None])


@answers("adam_update")
def adam_update_out(param, grad, exp_avg, exp_avg_sq, step, lr, betas, eps, weight_decay, decoupled=False):
    b1, b2 = betas
    g = grad if decoupled else grad + weight_decay * param
    if decoupled:
        np.multiply(param, 1 - lr * weight_decay, out=param)
    np.add(b1 * exp_avg, (1 - b1) * g, out=exp_avg)
    np.add(b2 * exp_avg_sq, (1 - b2) * np.square(g), out=exp_avg_sq)
    np.subtract(param, lr * (exp_avg / (1 - b1**step)) / (np.sqrt(exp_avg_sq / (1 - b2**step)) + eps), out=param)
    return param


@answers("adam_update")
def adam_update_number_by_number(param, grad, exp_avg, exp_avg_sq, step, lr, betas, eps, weight_decay, decoupled=False):
    for i in np.ndindex(param.shape):
        w, g = float(param[i]), float(grad[i])
        if decoupled:
            w -= lr * weight_decay * w
        else:
            g += weight_decay * w
        m = betas[0] * float(exp_avg[i]) + (1 - betas[0]) * g
        v = betas[1] * float(exp_avg_sq[i]) + (1 - betas[1]) * g * g
        exp_avg[i], exp_avg_sq[i] = m, v
        param[i] = w - lr * m / (1 - betas[0] ** step) / (math.sqrt(v / (1 - betas[1] ** step)) + eps)


@answers("train_step")
def train_step_as_in_pytorch(net, criterion, optimizer, images, targets):
    optimizer.zero_grad()
    out, cache = net.forward(images)
    loss_, dout = criterion(out, targets)
    net.backward(dout, cache)
    optimizer.step()
    return float(loss_)


@answers("train_step")
def train_step_with_a_numpy_number(net, criterion, optimizer, images, targets):
    net.zero_grad()
    out, cache = net.forward(images)
    result = criterion(out, targets)
    net.backward(result[1], cache)
    optimizer.step()
    net.zero_grad()
    return np.float64(result[0])
