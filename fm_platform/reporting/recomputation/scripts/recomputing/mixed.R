# A linear mixed model: fixed visits, a random intercept for each subject, REML, Satterthwaite's degrees of freedom.
# Searle, Casella & McCulloch, Variance Components (1992), chapter 6; Giesbrecht & Burns 1985, doi 10.2307/2530654.
# Subjects that hold the same visits share their matrices, so that sums over them are enough.

modelled <- function(study, series, least = 12) {
  known <- !is.na(series$values)
  others <- setdiff(colnames(known), study$baseline)
  has <- known[, study$baseline] & rowSums(known[, others, drop = FALSE]) > 0
  if (sum(has) < least) return(NULL)
  values <- series$values[has, , drop = FALSE] / series$scale
  held <- colnames(values)[colSums(!is.na(values)) > 0]
  values <- values[, held, drop = FALSE]
  empty <- list(n = sum(has), contrasts = list())
  changes <- values - values[, study$baseline]
  if (all(apply(changes, 2, function(x) diff(range(x, na.rm = TRUE))) == 0)) return(empty)
  values <- values - mean(values, na.rm = TRUE)
  patterns <- split(seq_len(nrow(values)), apply(!is.na(values), 1, paste, collapse = ""))
  parts <- lapply(patterns, function(rows) {
    here <- !is.na(values[rows[1], ])
    list(x = diag(length(held))[here, , drop = FALSE], y = t(values[rows, here, drop = FALSE]), n = sum(here), k = length(rows))
  })
  size <- sum(!is.na(values))
  p <- length(held)
  pieces <- function(ratio) {
    m <- matrix(0, p, p)
    b <- rep(0, p)
    q <- 0
    logs <- 0
    for (part in parts) {
      w <- diag(part$n) - ratio / (1 + part$n * ratio)
      m <- m + part$k * t(part$x) %*% w %*% part$x
      b <- b + t(part$x) %*% w %*% rowSums(part$y)
      q <- q + sum(part$y * (w %*% part$y))
      logs <- logs + part$k * log1p(part$n * ratio)
    }
    c_ <- solve(m)
    list(c = c_, means = c_ %*% b, q = as.numeric(q - t(b) %*% c_ %*% b), logs = logs + as.numeric(determinant(m)$modulus))
  }
  deviance_at <- function(ratio) {
    at <- pieces(ratio)
    at$logs + (size - p) * log(at$q)
  }
  derivatives <- function(ratio) {
    at <- pieces(ratio)
    s <- at$q / (size - p)
    c_ <- at$c * s
    trace <- rep(0, 2)
    square <- matrix(0, 2, 2)
    a <- list(matrix(0, p, p), matrix(0, p, p))
    cross <- lapply(1:4, function(i) matrix(0, p, p))
    bent <- matrix(0, p, 2)
    quadratic <- rep(0, 2)
    curve <- matrix(0, 2, 2)
    for (part in parts) {
      inverse <- (diag(part$n) - ratio / (1 + part$n * ratio)) / s
      slopes <- list(matrix(1, part$n, part$n), diag(part$n))
      rest <- inverse %*% (part$y - as.vector(part$x %*% at$means))
      for (i in 1:2) {
        own <- inverse %*% slopes[[i]]
        trace[i] <- trace[i] + part$k * sum(diag(own))
        a[[i]] <- a[[i]] + part$k * t(part$x) %*% own %*% inverse %*% part$x
        turned <- slopes[[i]] %*% rest
        quadratic[i] <- quadratic[i] + sum(rest * turned)
        bent[, i] <- bent[, i] + t(part$x) %*% inverse %*% rowSums(turned)
        for (j in 1:2) {
          both <- own %*% inverse %*% slopes[[j]]
          square[i, j] <- square[i, j] + part$k * sum(diag(both))
          at_ij <- 2 * (i - 1) + j
          cross[[at_ij]] <- cross[[at_ij]] + part$k * t(part$x) %*% both %*% inverse %*% part$x
          curve[i, j] <- curve[i, j] + sum(turned * (inverse %*% slopes[[j]] %*% rest))
        }
      }
    }
    gradient <- vapply(1:2, function(i) -(trace[i] - sum(diag(c_ %*% a[[i]]))) / 2 + quadratic[i] / 2, 0)
    information <- matrix(0, 2, 2)
    for (i in 1:2) for (j in 1:2) {
      information[i, j] <- -(square[i, j] - 2 * sum(diag(c_ %*% cross[[2 * (i - 1) + j]])) +
        sum(diag(c_ %*% a[[i]] %*% c_ %*% a[[j]]))) / 2 + curve[i, j] - as.numeric(t(bent[, i]) %*% c_ %*% bent[, j])
    }
    list(gradient = gradient, information = information, s = s, slopes = lapply(a, function(own) c_ %*% own %*% c_))
  }
  shares <- c((0:127) / 128, 1 - 2^-12)
  deviances <- vapply(shares, function(share) deviance_at(share / (1 - share)), 0)
  best <- which.min(deviances)
  if (best == length(shares)) return(empty)
  ratio <- 0
  if (best > 1 || deviance_at(1e-7) < deviances[1]) {
    around <- shares[c(max(best - 1, 1), best + 1)]
    share <- optimize(function(share) deviance_at(share / (1 - share)), around, tol = 1e-9)$minimum
    ratio <- share / (1 - share)
    for (step in 1:50) {
      at <- derivatives(ratio)
      moved <- solve(at$information, at$gradient)
      next_ <- max(0, (ratio * at$s + moved[1]) / (at$s + moved[2]))
      settled <- abs(next_ - ratio) <= 1e-14 * max(ratio, 1e-6)
      ratio <- next_
      if (settled) break
    }
  }
  at <- derivatives(ratio)
  here <- pieces(ratio)
  contrasts <- list()
  for (visit in setdiff(held, study$baseline)) {
    weights <- (held == visit) - (held == study$baseline)
    variance <- as.numeric(t(weights) %*% here$c %*% weights) * at$s
    df <- size - p
    if (ratio > 0) {
      slope <- vapply(at$slopes, function(own) as.numeric(t(weights) %*% own %*% weights), 0)
      df <- 2 * variance^2 / as.numeric(t(slope) %*% solve(at$information, slope))
    }
    estimate <- sum(weights * here$means)
    half <- qt(0.975, df) * sqrt(variance)
    contrasts[[visit]] <- list(mean_change = estimate, mean_low = estimate - half, mean_high = estimate + half, mean_df = df,
                               p_value = 2 * pt(-abs(estimate) / sqrt(variance), df))
  }
  list(n = sum(has), contrasts = contrasts)
}
