# Two groups at two weeks, three samples each, and DESeq2's tests of an interaction: by coefficient, by numeric vector,
# with a threshold, by likelihood ratio, and with size factors by positive counts, by control genes and as given.
# Rscript make.R writes counts.csv, size_factors.csv and one results file per test beside this script.
suppressMessages(library(DESeq2))
set.seed(23)
genes <- 90
group <- factor(rep(c("fm", "hc"), each = 6), levels = c("hc", "fm"))
week <- factor(rep(c("0", "12"), 6))
cell <- paste(group, week)
mean <- exp(rnorm(genes, 4.5, 1.3))
change <- cbind(`hc 0` = 0, `hc 12` = rnorm(genes, 0, 0.8), `fm 0` = rnorm(genes, 0, 0.8), `fm 12` = rnorm(genes, 0, 1.5))
mu <- sweep(mean * 2^change[, cell], 2, runif(12, 0.7, 1.4), `*`)
dispersion <- (0.05 + 3 / mean) * exp(rnorm(genes, 0, 0.4))
counts <- matrix(rnbinom(length(mu), mu = mu, size = 1 / dispersion), genes, dimnames = list(paste0("g", 1:genes), paste0("s", 1:12)))
counts[4, ] <- 0L
counts[5, cell != "hc 0"] <- 0L
counts[6, week == "12"] <- 0L
counts[7, 3] <- 20000L
write.csv(data.frame(gene = rownames(counts), counts), "counts.csv", row.names = FALSE, quote = FALSE)

made <- DESeqDataSetFromMatrix(counts, data.frame(group, week), ~ group * week)
save <- function(name, table) {
  shown <- data.frame(gene = rownames(table), lapply(as.data.frame(table), format, digits = 12, trim = TRUE))
  write.csv(shown, paste0(name, ".csv"), row.names = FALSE, quote = FALSE)
}
dds <- DESeq(made, quiet = TRUE)
stopifnot(resultsNames(dds) == c("Intercept", "group_fm_vs_hc", "week_12_vs_0", "groupfm.week12"))
save("coefficient", results(dds, name = "groupfm.week12"))
save("week_in_fm", results(dds, contrast = c(0, 0, 1, 1)))
save("group_against_week", results(dds, contrast = c(0, 1, -1, 0)))
save("threshold", results(dds, contrast = c(0, 0, 1, 1), lfcThreshold = 0.5, altHypothesis = "greater"))
save("lrt", results(DESeq(made, test = "LRT", reduced = ~group, quiet = TRUE), name = "groupfm.week12"))

control <- 11:40
given <- seq(0.8, 1.35, by = 0.05)
poscounts <- estimateSizeFactors(made, type = "poscounts")
controlled <- estimateSizeFactors(made, controlGenes = control)
stated <- made
sizeFactors(stated) <- given
factors <- data.frame(sample = colnames(counts), poscounts = sizeFactors(poscounts), control = sizeFactors(controlled), given)
write.csv(format(factors, digits = 15), "size_factors.csv", row.names = FALSE, quote = FALSE)
save("poscounts", results(DESeq(poscounts, quiet = TRUE), name = "groupfm.week12"))
save("control", results(DESeq(controlled, quiet = TRUE), name = "groupfm.week12"))
save("given", results(DESeq(stated, quiet = TRUE), name = "groupfm.week12"))
writeLines(c(R.version.string, paste("DESeq2", packageVersion("DESeq2"))), "versions.txt")
