# Exact tests, estimates and intervals for small series, in base R.
# Belongs here: whole numbers in, numbers out. Does not belong here: who is compared.

most_exact <- 1000
most_together <- 120

middle <- function(x) if (length(x)) median(x) else NA_real_

signed_sums <- function(ranks) {
  # P(the ranks with a plus sum to 0, 1, ...), each sign by the toss of a coin.
  chance <- 1
  for (rank in sort(ranks)) {
    none <- rep(0, rank)
    chance <- (c(chance, none) + c(none, chance)) / 2
  }
  chance
}

at_most <- function(ranks, w) {
  if (length(ranks) <= most_exact) return(sum(signed_sums(ranks)[seq_len(w + 1)]))
  pnorm((w + 0.5 - sum(ranks) / 2) / (sqrt(sum(ranks^2)) / 2))
}

common_divisor <- function(x) {
  gcd <- function(a, b) if (b == 0) a else gcd(b, a %% b)
  Reduce(gcd, x)
}

signed_rank <- function(changes, pratt = FALSE) {
  signed <- changes[changes != 0]
  pool <- if (pratt) changes else signed
  ranks <- rank(abs(pool))
  if (pratt) ranks <- ranks[changes != 0]
  plus <- sum(ranks[signed > 0])
  minus_ <- sum(ranks[signed < 0])
  p <- 1
  if (length(signed)) {
    doubled <- round(2 * ranks)
    unit <- common_divisor(doubled)
    p <- min(1, 2 * at_most(doubled / unit, round(2 * min(plus, minus_)) / unit))
  }
  list(n_zero = length(changes) - length(signed), n_eff = length(signed), ties = sum(table(abs(signed)) > 1),
       w_plus = plus, w_minus = minus_, p = p, floor = min(1, 2^(1 - length(signed))))
}

places <- new.env()

walsh_place <- function(n, level = 0.95) {
  name <- paste("walsh", n, level)
  if (!is.null(places[[name]])) return(places[[name]])
  most <- (1 - level) / 2 + 1e-15
  if (n <= most_exact) {
    tails <- cumsum(signed_sums(seq_len(n)))
    w <- sum(tails <= most) - 1
  } else {
    low <- -1
    high <- n * (n + 1) / 4
    while (high - low > 1) {
      mid <- floor((low + high) / 2)
      if (at_most(seq_len(n), mid) <= most) low <- mid else high <- mid
    }
    w <- low
  }
  places[[name]] <- if (w < 0) c(NA, NA) else c(w + 1, 1 - 2 * at_most(seq_len(n), w))
  places[[name]]
}

located <- function(ordered, place) {
  if (!length(ordered)) return(list(estimate = NA, low = NA, high = NA, level = NA))
  if (is.na(place[1])) return(list(estimate = median(ordered), low = NA, high = NA, level = NA))
  list(estimate = median(ordered), low = ordered[place[1]], high = ordered[length(ordered) + 1 - place[1]],
       level = place[2])
}

hodges_lehmann <- function(changes, level = 0.95) {
  sums <- outer(changes, changes, "+")
  located(sort(sums[upper.tri(sums, diag = TRUE)]) / 2, if (length(changes)) walsh_place(length(changes), level) else c(NA, NA))
}

ways_to_choose <- function(ranks, m) {
  # How many ways to choose m of the ranks give the sums 0, 1, ...
  ranks <- sort(ranks)
  width <- sum(tail(ranks, m)) + 1
  ways <- matrix(0, m + 1, width)
  ways[1, 1] <- 1
  for (rank in ranks) {
    for (chosen in m:1) {
      ways[chosen + 1, (rank + 1):width] <- ways[chosen + 1, (rank + 1):width] + ways[chosen, seq_len(width - rank)]
    }
  }
  ways[m + 1, ]
}

difference_place <- function(m, n, level = 0.95) {
  name <- paste("difference", min(m, n), max(m, n), level)
  if (!is.null(places[[name]])) return(places[[name]])
  if (m + n > most_together) {
    k <- trunc(m * n / 2 + 0.5 - qnorm((1 + level) / 2) * sqrt(m * n * (m + n + 1) / 12))
    found_place <- if (k >= 1) c(k, level) else c(NA, NA)
  } else {
    tails <- cumsum(dwilcox(0:(m * n), m, n))
    w <- sum(tails <= (1 - level) / 2 + 1e-15)
    found_place <- if (w < 1) c(NA, NA) else c(w, 1 - 2 * tails[w])
  }
  places[[name]] <- found_place
  found_place
}

shift <- function(first, second, level = 0.95) {
  located(sort(as.vector(outer(first, second, "-"))), difference_place(length(first), length(second), level))
}

rank_sum <- function(first, second) {
  m <- length(first)
  n <- length(second)
  size <- m + n
  doubled <- round(2 * rank(c(first, second)))
  observed <- sum(doubled[seq_len(m)])
  distance <- abs(observed - m * (size + 1))
  if (distance == 0) {
    p <- 1
  } else if (size <= most_together) {
    few <- min(m, n)
    ways <- ways_to_choose(doubled, few)
    far <- abs(seq_along(ways) - 1 - few * (size + 1)) >= distance
    p <- min(1, sum(ways[far]) / sum(ways))
  } else {
    spread <- sqrt(m * n * sum((doubled - (size + 1))^2) / size / (size - 1))
    p <- 2 * pnorm(-max(0, distance - 1) / spread)
  }
  list(u = (observed - m * (m + 1)) / 2, p = p, floor = min(1, 2 / choose(size, m)))
}

toss <- function(one, other) if (one + other) min(1, 2 * pbinom(min(one, other), one + other, 0.5)) else 1
toss_floor <- function(n) if (n) min(1, 2^(1 - n)) else 1

clopper_pearson <- function(x, n, level = 0.95) {
  if (!n) return(c(NA, NA))
  as.numeric(binom.test(x, n, conf.level = level)$conf.int)
}

wilson <- function(x, n, level = 0.95) {
  if (!n) return(c(NA, NA))
  limits <- as.numeric(suppressWarnings(prop.test(x, n, conf.level = level, correct = FALSE))$conf.int)
  c(if (x == 0) 0 else limits[1], if (x == n) 1 else limits[2])
}

fisher <- function(x, m, y, n) {
  p <- min(1, fisher.test(matrix(c(x, m - x, y, n - y), 2), conf.int = FALSE)$p.value)
  c(p, min(1, (if (m == n) 2 else 1) / choose(m + n, m)))
}

orders <- function(x) {
  # Every order of the elements, a row each.
  if (length(x) <= 1) return(matrix(x, 1))
  do.call(rbind, lapply(seq_along(x), function(at) cbind(x[at], orders(x[-at]))))
}

friedman <- function(values, exact) {
  n <- nrow(values)
  k <- ncol(values)
  ranks <- round(2 * t(apply(values, 1, rank))) - (k + 1)
  within <- sum(ranks^2)
  if (within == 0) return(c(NA, 1))
  observed <- sum(colSums(ranks)^2)
  statistic <- (k - 1) * observed / within
  if (!exact) return(c(statistic, pchisq(statistic, k - 1, lower.tail = FALSE)))
  totals <- matrix(0, 1, k)
  chance <- 1
  for (at in seq_len(n)) {
    own <- orders(ranks[at, ])
    grown <- totals[rep(seq_len(nrow(totals)), each = nrow(own)), , drop = FALSE] + own[rep(seq_len(nrow(own)), nrow(totals)), , drop = FALSE]
    weight <- rep(chance, each = nrow(own)) / nrow(own)
    # Rank sums are exchangeable: totals that differ only in their order are one.
    for (pass in seq_len(k - 1)) {
      for (left in seq_len(k - pass)) {
        swap <- grown[, left] > grown[, left + 1]
        kept <- grown[swap, left]
        grown[swap, left] <- grown[swap, left + 1]
        grown[swap, left + 1] <- kept
      }
    }
    names_ <- do.call(paste, as.data.frame(grown))
    first <- !duplicated(names_)
    sums <- rowsum(weight, names_, reorder = FALSE)
    totals <- grown[first, , drop = FALSE]
    chance <- as.vector(sums[match(names_[first], rownames(sums)), 1])
  }
  c(statistic, sum(chance[rowSums(totals^2) >= observed]))
}
