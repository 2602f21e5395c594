# Designs at the edges, and DESeq2's results: individuals nested in groups of unequal size (columns without a sample are
# dropped, as DESeq2's vignette does), a covariate of some 0.0005 (given to DESeq2 times 1,000, which its ridge leaves
# alone), genes whose only reads are outliers that are replaced, and ages as they are, with which reweighting does not
# settle in every gene. Rscript make.R writes beside this script.
suppressMessages(library(DESeq2))
set.seed(41)
draw <- function(genes, factors) {
  means <- exp(rnorm(genes, 4, 1.3))
  mu <- outer(means, factors)
  matrix(rnbinom(length(mu), mu = mu, size = 1 / (0.05 + 2 / means)), genes, dimnames = list(paste0("g", seq_len(genes)), paste0("s", seq_along(factors))))
}
save <- function(name, counts, samples, results) {
  write.csv(data.frame(gene = rownames(counts), counts), paste0("counts_", name, ".csv"), row.names = FALSE, quote = FALSE)
  write.csv(samples, paste0("samples_", name, ".csv"), row.names = FALSE, quote = FALSE)
  shown <- data.frame(gene = rownames(counts), lapply(as.data.frame(results), format, digits = 14, trim = TRUE))
  write.csv(shown, paste0("results_", name, ".csv"), row.names = FALSE, quote = FALSE)
}

group <- rep(c("hc", "fm"), c(4, 6))
samples <- data.frame(group, person = rep(c(1, 2, 1, 2, 3), each = 2), week = rep(c("0", "12"), 5))
counts <- draw(80, runif(10, 0.7, 1.4))
coded <- data.frame(lapply(samples, factor))
full <- model.matrix(~ group + group:person + group:week, coded)
full <- full[, colSums(full != 0) > 0]
dds <- DESeq(DESeqDataSetFromMatrix(counts, coded, full), full = full, betaPrior = FALSE, quiet = TRUE)
save("nested", counts, samples, results(dds, contrast = list("groupfm.week12", "grouphc.week12")))

samples <- data.frame(group = rep(c("a", "b"), each = 5), fraction = round(runif(10, 1e-4, 9e-4), 6))
counts <- draw(80, runif(10, 0.7, 1.4))
coded <- data.frame(group = factor(samples$group), fraction = samples$fraction * 1000)
dds <- DESeq(DESeqDataSetFromMatrix(counts, coded, ~ fraction + group), quiet = TRUE)
save("fraction", counts, samples, results(dds, name = "fraction"))

samples <- data.frame(group = rep(c("a", "b"), each = 8))
counts <- draw(60, runif(16, 0.7, 1.4))
counts[1:2, ] <- 0L
counts[1, 3] <- 40L
counts[2, 12] <- 900L
dds <- DESeq(DESeqDataSetFromMatrix(counts, data.frame(group = factor(samples$group)), ~group), quiet = TRUE)
save("replaced", counts, samples, results(dds, contrast = c("group", "b", "a")))

set.seed(58)
samples <- data.frame(group = rep(c("a", "b"), each = 5), age = round(runif(10, 20, 70)))
means <- exp(rnorm(60, 3, 1.3))
mu <- outer(means, runif(10, 0.7, 1.4))
counts <- matrix(rnbinom(length(mu), mu = mu, size = 1 / (1 + 20 / means)), 60, dimnames = list(paste0("g", 1:60), paste0("s", 1:10)))
dds <- DESeq(DESeqDataSetFromMatrix(counts, data.frame(group = factor(samples$group), age = samples$age), ~ age + group), quiet = TRUE)
save("age", counts, samples, results(dds, contrast = c("group", "b", "a")))
writeLines(c(R.version.string, paste("DESeq2", packageVersion("DESeq2"))), "versions.txt")
