# Three groups of four samples, and DESeq2's tests of c against b with a threshold of 1 (log2), a being the reference.
# Rscript make.R writes counts.csv and one results file per alternative beside this script.
suppressMessages(library(DESeq2))
set.seed(11)
genes <- 80
group <- factor(rep(c("a", "b", "c"), 4))
mean <- exp(rnorm(genes, 5, 1.2))
change <- cbind(a = 0, b = rnorm(genes, 0, 1.5), c = rnorm(genes, 0, 1.5))
mu <- sweep(mean * 2^change[, as.character(group)], 2, runif(12, 0.7, 1.4), `*`)
counts <- matrix(rnbinom(length(mu), mu = mu, size = 8), genes, dimnames = list(paste0("g", 1:genes), paste0("s", 1:12)))
counts[5, group %in% c("b", "c")] <- 0L
write.csv(data.frame(gene = rownames(counts), counts), "counts.csv", row.names = FALSE, quote = FALSE)
dds <- DESeq(DESeqDataSetFromMatrix(counts, data.frame(group), ~group), quiet = TRUE)
for (alternative in c("greaterAbs", "lessAbs", "greater", "less")) {
  made <- results(dds, contrast = c("group", "c", "b"), lfcThreshold = 1, altHypothesis = alternative)
  shown <- data.frame(gene = rownames(made), lapply(as.data.frame(made), format, digits = 15, trim = TRUE))
  write.csv(shown, paste0(alternative, ".csv"), row.names = FALSE, quote = FALSE)
}
writeLines(c(R.version.string, paste("DESeq2", packageVersion("DESeq2"))), "versions.txt")
