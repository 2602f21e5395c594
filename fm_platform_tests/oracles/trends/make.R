# Small simulated matrices whose dispersion trend is not the ordinary one, and what DESeq2 makes of them; and points with
# the local regression of locfit through them. Rscript make.R writes, beside this script, counts_<set>.csv with
# results_<set>.csv, trends.csv (kind of trend, its coefficients, width of the prior) and local_<set>.csv.
suppressMessages({library(DESeq2); library(locfit)})
draw <- function(means, factors, dispersion) {
  mu <- outer(means, factors)
  found <- if (is.null(dispersion)) rpois(length(mu), mu) else rnbinom(length(mu), mu = mu, size = 1 / dispersion)
  matrix(found, length(means), dimnames = list(paste0("g", seq_along(means)), paste0("s", seq_along(factors))))
}
near <- function(n) exp(runif(n, -0.3, 0.3))
group <- function(n) factor(rep(c("a", "b"), each = n))
frame <- function(each, pairs = FALSE) {
  found <- data.frame(group = group(each))
  if (pairs) found$subject <- factor(rep(paste0("p", seq_len(each)), 2))
  found
}
sets <- list(
  paired = function() list(draw(exp(rnorm(120, 1, 1.5)), near(6), 0.05), frame(3, TRUE), ~ subject + group),
  technical = function() list(draw(exp(rnorm(100, 4, 2)), near(8), NULL), frame(4), ~group),
  few_reads = function() list(draw(exp(rnorm(120, -0.5, 1)), near(8), 1), frame(4), ~group),
  rising = function() { m <- exp(rnorm(100, 4, 1.5)); list(draw(m, near(6), 0.01 * m^0.5), frame(3), ~group) },
  seven_genes = function() { m <- exp(rnorm(7, 5, 1)); list(draw(m, near(6), 0.002 * m), frame(3), ~group) },
  depths = function() {
    m <- exp(rnorm(150, 3, 2))
    list(draw(m, rep(c(1, 500), 4) / 20, 0.1 + 2 / m), cbind(frame(4), kind = factor(rep(1:2, 4))), ~ kind + group)
  }
)
trends <- NULL
for (name in names(sets)) {
  set.seed(match(name, names(sets)))
  repeat {
    one <- sets[[name]]()
    if (all(colSums(one[[1]]) > 0)) break
  }
  dds <- suppressMessages(DESeq(DESeqDataSetFromMatrix(one[[1]], one[[2]], one[[3]]), quiet = TRUE))
  curve <- dispersionFunction(dds)
  two <- c(attr(curve, "coefficients"), NA, NA)[1:2]
  trends <- rbind(trends, data.frame(set = name, kind = attr(curve, "fitType"), a0 = two[1], a1 = two[2], prior = attr(curve, "dispPriorVar")))
  kept <- cbind(as.data.frame(results(dds, contrast = c("group", "b", "a"))), trend = mcols(dds)$dispFit)
  shown <- data.frame(gene = rownames(kept), lapply(kept, format, digits = 14, trim = TRUE))
  write.csv(shown, paste0("results_", name, ".csv"), row.names = FALSE, quote = FALSE)
  write.csv(data.frame(gene = rownames(one[[1]]), one[[1]]), paste0("counts_", name, ".csv"), row.names = FALSE, quote = FALSE)
}
write.csv(format(trends, digits = 14, trim = TRUE), "trends.csv", row.names = FALSE, quote = FALSE)

# Means and dispersions on which glm does not settle in an early round, and yet the curve is found.
rounds <- function(means, dispersions) {
  settled <- NULL
  suppressMessages(trace(glm, exit = quote(settled <<- c(settled, returnValue()$converged)), print = FALSE, where = asNamespace("DESeq2")))
  assign("settled", NULL, globalenv())
  curve <- tryCatch(DESeq2:::parametricDispersionFit(means, dispersions), error = function(e) NULL)
  suppressMessages(untrace(glm, where = asNamespace("DESeq2")))
  list(curve = curve, settled = get("settled", globalenv()))
}
for (seed in 1:2000) {
  set.seed(seed)
  means <- exp(rnorm(40, 0, 3))
  dispersions <- (0.05 + 2 / means) * exp(rnorm(40, 0, 2.5))
  found <- rounds(means, dispersions)
  if (!is.null(found$curve) && !all(found$settled)) break
}
curve <- attr(found$curve, "coefficients")
print(found$settled)
shown <- data.frame(mean = means, dispersion = dispersions, a0 = curve[[1]], a1 = curve[[2]])
write.csv(format(shown, digits = 15, trim = TRUE), "unsettled_round.csv", row.names = FALSE, quote = FALSE)

set.seed(7)
points <- list(
  even = runif(60, 0, 9),
  clump = c(rnorm(70, -2, 0.05), rnorm(20, 6, 2)),
  ties = log(sample(c(1, 2, 3, 5, 8, 40, 300), 50, replace = TRUE)),
  three = c(0, 1, 5)
)
for (name in names(points)) {
  x <- points[[name]]
  d <- data.frame(x, y = -1 - 0.3 * x + sin(x) + rnorm(length(x), 0, 0.5), weight = exp(x))
  fit <- locfit(y ~ x, data = d, weights = d$weight)
  at <- c(min(x) - 2, seq(min(x), max(x), length.out = 15), max(x) + 2)
  asked <- data.frame(x = at, y = NA, weight = NA)
  d <- rbind(d, asked)
  d$fitted <- predict(fit, data.frame(x = d$x))
  write.csv(format(d, digits = 15, trim = TRUE), paste0("local_", name, ".csv"), row.names = FALSE, quote = FALSE)
}
writeLines(c(R.version.string, paste("DESeq2", packageVersion("DESeq2")), paste("locfit", packageVersion("locfit"))), "versions.txt")
