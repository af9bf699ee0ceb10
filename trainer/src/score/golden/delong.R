# DeLong's test by pROC; make.py calls it. Arguments: a folder of CSV files (nok, first, second), of which each gets a
# .out beside it; and a file to write ranks of the aSAH data to.
suppressMessages(library(pROC))
arguments <- commandArgs(trailingOnly = TRUE)
data(aSAH)
ranks <- data.frame(nok = as.integer(aSAH$outcome == "Poor"), first = rank(as.numeric(aSAH$wfns)), second = rank(aSAH$s100b))
write.csv(ranks, file.path(arguments[1], "aSAH wfns s100b.csv"), row.names = FALSE)
for (file in list.files(arguments[1], pattern = "[.]csv$", full.names = TRUE)) {
  d <- read.csv(file)
  a <- roc(d$nok, d$first, levels = c(0, 1), direction = "<")
  b <- roc(d$nok, d$second, levels = c(0, 1), direction = "<")
  test <- roc.test(a, b, method = "delong", paired = TRUE)
  interval <- ci.auc(a, method = "delong")
  values <- c(auc(a), auc(b), var(a, method = "delong"), var(b, method = "delong"), cov(a, b, method = "delong"),
              test$statistic, test$p.value, test$conf.int, interval[1], interval[3])
  writeLines(format(as.numeric(values), digits = 17, scientific = TRUE), sub("csv$", "out", file))
}
writeLines(paste(R.version.string, "pROC", packageVersion("pROC")), file.path(arguments[1], "versions"))
